# The web page as a library of constants: Vite builds it, web/embed.mjs writes the source that
# embeds it. It is shared by every preset: its folder is build/web whatever the preset.
set(web_folder ${CMAKE_SOURCE_DIR}/web)
set(web_output ${CMAKE_SOURCE_DIR}/build/web)
file(GLOB_RECURSE web_sources CONFIGURE_DEPENDS ${web_folder}/src/* ${web_folder}/public/*)
add_custom_command(
  OUTPUT ${web_output}/page_assets.cc
  COMMAND ${web_folder}/build.sh ${web_output}
  DEPENDS ${web_sources} ${web_folder}/build.sh ${web_folder}/embed.mjs ${web_folder}/index.html
          ${web_folder}/vite.config.ts ${web_folder}/tsconfig.json ${web_folder}/package-lock.json
  COMMENT "build the web page"
  VERBATIM)
add_library(quire_web STATIC ${web_output}/page_assets.cc)
target_include_directories(quire_web PRIVATE ${CMAKE_SOURCE_DIR}/src)
